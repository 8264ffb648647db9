"""What KubeRay and SkyPilot read of our files, as values: from their documentation, for tests that fetch nothing.

Fields: https://ray-project.github.io/kuberay/reference/api and https://docs.skypilot.co/en/latest/reference/yaml-spec.html.
Only what our files use; any other key is refused, so a new one is looked up there first.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "recipes" / "clusters"
_SIZES = {"Gi": 2**30, "Mi": 2**20}


class Read(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Read):
    name: StrictStr = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")


class Variable(Read):
    name: StrictStr
    value: StrictStr


class Mount(Read):
    name: StrictStr
    mountPath: StrictStr = Field(pattern="^/")
    readOnly: StrictBool = False


class Amounts(Read):
    cpu: StrictStr = Field(pattern=r"^\d+$")
    memory: StrictStr = Field(pattern=r"^\d+[GM]i$")
    gpu: StrictStr = Field(default="0", alias="nvidia.com/gpu", pattern=r"^\d+$")

    @property
    def memory_bytes(self) -> int:
        return int(self.memory[:-2]) * _SIZES[self.memory[-2:]]


class Resources(Read):
    requests: Amounts
    limits: Amounts


class Container(Named):
    image: StrictStr
    workingDir: StrictStr
    env: tuple[Variable, ...]
    resources: Resources
    volumeMounts: tuple[Mount, ...]


class ClaimSource(Read):
    claimName: StrictStr


class Volume(Named):
    persistentVolumeClaim: ClaimSource | None = None
    configMap: Named | None = None


class SecurityContext(Read):
    fsGroup: StrictInt


class Pod(Read):
    securityContext: SecurityContext
    containers: tuple[Container] = Field(min_length=1)
    volumes: tuple[Volume, ...]


class Template(Read):
    spec: Pod


class HeadGroup(Read):
    rayStartParams: dict[StrictStr, StrictStr]
    template: Template


class WorkerGroup(HeadGroup):
    groupName: StrictStr
    replicas: StrictInt
    minReplicas: StrictInt
    maxReplicas: StrictInt


class AuthOptions(Read):
    mode: Literal["token", "disabled"]


class Cluster(Read):
    rayVersion: StrictStr
    authOptions: AuthOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: tuple[WorkerGroup] = Field(min_length=1)


class JobSpec(Read):
    entrypoint: StrictStr
    backoffLimit: StrictInt
    shutdownAfterJobFinishes: StrictBool
    ttlSecondsAfterFinished: StrictInt
    rayClusterSpec: Cluster


class Job(Read):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Named
    spec: JobSpec


class StudyText(Read):
    study: StrictStr = Field(alias="study.yaml")


class ConfigMap(Read):
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Named
    data: StudyText


class Storage(Read):
    storage: StrictStr = Field(pattern=r"^\d+Gi$")


class ClaimResources(Read):
    requests: Storage


class ClaimSpec(Read):
    accessModes: tuple[Literal["ReadWriteMany"]]
    storageClassName: StrictStr
    resources: ClaimResources


class Claim(Read):
    apiVersion: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Named
    spec: ClaimSpec


class Bucket(Read):
    name: StrictStr
    mode: Literal["MOUNT", "MOUNT_CACHED", "COPY"]


class CloudMachine(Read):
    accelerators: StrictStr = Field(pattern=r"^[A-Z0-9-]+:\d+$")
    use_spot: StrictBool
    disk_size: StrictInt


class SkyTask(Read):
    name: StrictStr
    workdir: StrictStr
    envs: dict[StrictStr, StrictStr]
    resources: CloudMachine
    file_mounts: dict[StrictStr, Bucket]
    setup: StrictStr
    run: StrictStr


_MANIFEST: TypeAdapter[ConfigMap | Claim | Job] = TypeAdapter(
    Annotated[ConfigMap | Claim | Job, Field(discriminator="kind")]
)


def manifests() -> list[dict[str, Any]]:
    """The documents of kuberay.yaml: the study, the volume and the job, in this order."""
    return list(yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text("utf-8")))


def read_manifests(written: list[dict[str, Any]]) -> tuple[ConfigMap, Claim, Job]:
    """The three documents. ValidationError for a key or a value that they cannot have."""
    study, claim, job = (_MANIFEST.validate_python(each) for each in written)
    assert isinstance(study, ConfigMap) and isinstance(claim, Claim) and isinstance(job, Job)
    return study, claim, job


def sky_task() -> dict[str, Any]:
    """skypilot.yaml, with a bucket of one's own."""
    written: dict[str, Any] = yaml.safe_load((FOLDER / "skypilot.yaml").read_text("utf-8"))
    written["file_mounts"]["/bucket"]["name"] = "my-runs"
    return written


def pinned(package: str) -> str:
    """The version of a package in constraints.txt."""
    lines = Path(REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    (version,) = (line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))
    return version
