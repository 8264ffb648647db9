"""Files for Kubernetes and clouds: every key is one that their reader has, and what they start is what they ask for.

The schemas of KubeRay and SkyPilot themselves are read where EDUCE_TEST_DATA has them, in `schemas/`: KubeRay's
ray.io_rayjobs.yaml (helm-chart/kuberay-operator/crds), and skypilot-task.json and skypilot-storage.json, which are
`sky.utils.schemas.get_task_schema()` and `get_storage_schema()` of the package skypilot.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from educe.data.errors import UserError
from educe.recipes.cli import _parser
from educe.recipes.runner.engines.settings import ChosenEngine, RaySettings
from educe.recipes.runner.study import Study
from tests.conftest import REPOSITORY
from tests.recipes.manifests import FOLDER, SkyTask, manifests, pinned, read_manifests, sky_task
from tests.recipes.small import no_figures, run_cli, small_study, study_file

Change = Callable[[Any], Any]


def check_kuberay(written: list[dict[str, Any]]) -> None:
    """The keys, and that the parts fit one another: names, paths, the number of workers, what a worker reserves."""
    config, claim, job = read_manifests(written)
    cluster = job.spec.rayClusterSpec
    head, (group,) = cluster.headGroupSpec, cluster.workerGroupSpecs
    worker = group.template.spec.containers[0]
    for pod in (head.template.spec, group.template.spec):
        volumes = {each.name: each for each in pod.volumes}
        assert {each.name for each in pod.containers[0].volumeMounts} == set(volumes)
        assert volumes["shared"].persistentVolumeClaim is not None
        assert volumes["shared"].persistentVolumeClaim.claimName == claim.metadata.name
        assert pod.containers[0].resources.requests == pod.containers[0].resources.limits
    by_name = {each.name: each for each in head.template.spec.volumes}
    assert by_name["study"].configMap is not None and by_name["study"].configMap.name == config.metadata.name
    assert head.template.spec.containers[0].env == worker.env
    shared = next(each.mountPath for each in worker.volumeMounts if each.name == "shared")
    options = entrypoint_options(job.spec.entrypoint)
    for path in (options.out, worker.workingDir, *(each.value for each in worker.env)):
        assert Path(path).is_relative_to(shared), path
    (mounted,) = (each.mountPath for each in head.template.spec.containers[0].volumeMounts if each.name == "study")
    assert options.study == f"{mounted}/study.yaml"
    study = Study.make(yaml.safe_load(config.data.study))
    assert study.cells()
    chosen = ChosenEngine.choose(study.engine, options.engine)
    assert isinstance(chosen.settings, RaySettings) and chosen.settings.address == "auto"
    reserved = worker.resources.requests
    assert (chosen.settings.cpus, chosen.settings.gpus) == (int(reserved.cpu), int(reserved.gpu)), "a pod is a worker"
    assert options.workers == group.replicas == group.minReplicas == group.maxReplicas
    assert study.threads <= int(reserved.cpu)
    assert head.rayStartParams["num-cpus"] == "0"
    assert cluster.rayVersion == pinned("ray") and cluster.authOptions.mode == "token"
    for container in (worker, head.template.spec.containers[0]):
        assert container.image.endswith(f"-ray{pinned('ray')}")


def entrypoint_options(entrypoint: str) -> Any:
    """What educe's own parser makes of the command. It has nothing that a shell reads in its own way."""
    assert re.fullmatch(r"[\w./ -]+", entrypoint), entrypoint
    program, *arguments = shlex.split(entrypoint)
    assert program == "educe"
    return _parser().parse_args(arguments)


def worker_pod(written: Any) -> Any:
    return written[2]["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]


def head_pod(written: Any) -> Any:
    return written[2]["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]


def with_study(change: Change) -> Change:
    def changed(written: Any) -> None:
        study = yaml.safe_load(written[0]["data"]["study.yaml"])
        change(study)
        written[0]["data"]["study.yaml"] = yaml.safe_dump(study)

    return changed


# Keys and types that KubeRay or Kubernetes refuses, and those that only fit nothing else in the file.
MALFORMED: dict[str, Change] = {
    "a key that a job has not": lambda w: w[2]["spec"].update(backofLimit=2),
    "a key that a cluster has not": lambda w: w[2]["spec"]["rayClusterSpec"].update(workers=4),
    "a number of replicas as text": lambda w: w[2]["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(
        replicas="4"
    ),
    "a parameter of ray start that is no text": lambda w: w[2]["spec"]["rayClusterSpec"]["headGroupSpec"].update(
        rayStartParams={"num-cpus": 0}
    ),
    "a way to prove who one is that is none": lambda w: w[2]["spec"]["rayClusterSpec"].update(
        authOptions={"mode": "password"}
    ),
    "a key that a container has not": lambda w: worker_pod(w)["containers"][0].update(volumes=[]),
    "a mount without a path": lambda w: worker_pod(w)["containers"][0]["volumeMounts"][0].pop("mountPath"),
    "an amount that is none": lambda w: worker_pod(w)["containers"][0]["resources"]["limits"].update(memory="48 GB"),
    "a head group without its pod": lambda w: w[2]["spec"]["rayClusterSpec"]["headGroupSpec"].pop("template"),
}
UNFIT: dict[str, Change] = {
    "a mount without a volume": lambda w: worker_pod(w)["volumes"][0].update(name="other"),
    "another volume claim": lambda w: head_pod(w)["volumes"][0]["persistentVolumeClaim"].update(claimName="runs"),
    "another study": lambda w: w[0]["metadata"].update(name="study"),
    "results that workers cannot see": lambda w: w[2]["spec"].update(
        entrypoint="educe run /study/study.yaml --out /tmp/x --engine ray --workers 4"
    ),
    "more workers than pods": lambda w: w[2]["spec"].update(
        entrypoint="educe run /study/study.yaml --out /shared/x --engine ray --workers 8"
    ),
    "a second command for the shell": lambda w: w[2]["spec"].update(
        entrypoint="cd /shared && educe run /study/study.yaml --out /shared/x --engine ray --workers 4"
    ),
    "a pod that is larger than its worker": lambda w: [
        worker_pod(w)["containers"][0]["resources"][each].update({"nvidia.com/gpu": "2"})
        for each in ("requests", "limits")
    ],
    "Ray of another version": lambda w: w[2]["spec"]["rayClusterSpec"].update(rayVersion="2.59.0"),
    "an image with Ray of another version": lambda w: head_pod(w)["containers"][0].update(image="r/educe:1-ray2.59.0"),
    "another cache on the head": lambda w: head_pod(w)["containers"][0].update(env=[]),
    "a cluster of its own": with_study(lambda study: study["engine"]["ray"].pop("address")),
}
REFUSED_COMMANDS = [
    "educe run /study/study.yaml --out /shared/x --engine ray --wokers 4",
    "educe launch /study/study.yaml --out /shared/x",
    "educe run /study/study.yaml --engine ray --workers four",
]


def test_kuberay_starts_what_the_study_asks_for() -> None:
    check_kuberay(manifests())


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_kuberay_keys_that_are_not_there_are_noticed(change: Change) -> None:
    written = deepcopy(manifests())
    change(written)
    with pytest.raises(ValidationError):
        read_manifests(written)


@pytest.mark.parametrize("change", UNFIT.values(), ids=UNFIT)
def test_kuberay_parts_that_do_not_fit_are_noticed(change: Change) -> None:
    written = deepcopy(manifests())
    change(written)
    read_manifests(written)
    with pytest.raises(AssertionError):
        check_kuberay(written)


@pytest.mark.parametrize("command", REFUSED_COMMANDS)
def test_a_command_that_educe_does_not_know_is_noticed(command: str) -> None:
    written = deepcopy(manifests())
    written[2]["spec"]["entrypoint"] = command
    with pytest.raises(UserError):
        check_kuberay(written)


def test_a_mistake_in_the_engine_is_noticed() -> None:
    written = deepcopy(manifests())
    with_study(lambda study: study["engine"]["ray"].update(gpu=1))(written)
    with pytest.raises(UserError, match="did you mean 'gpus'"):
        check_kuberay(written)


def test_the_image_has_what_its_tag_says() -> None:
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    (tag,) = re.findall(r"-t (\S+) ", text)
    _, _, job = read_manifests(manifests())
    assert tag == job.spec.rayClusterSpec.workerGroupSpecs[0].template.spec.containers[0].image
    assert "-c /opt/educe/constraints.txt" in text and "ray[default]" in text
    # The checkout is another user's, and without this git does not tell which commit results come from.
    assert "safe.directory /opt/educe" in text
    python = re.findall(r"FROM python:(\S+)-slim", text)
    assert python == re.findall(r"on Linux x86_64 and Python (\S+?)\. ", (REPOSITORY / "constraints.txt").read_text())


def closed(schema: Any) -> Any:
    """A structural schema of Kubernetes as JSON Schema: unknown keys are refused, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(each) for key, each in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found["additionalProperties"] = False
    return found


def schema_file(name: str) -> Path:
    path = Path(os.environ.get("EDUCE_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "schemas" / name
    if not path.is_file():
        pytest.skip(f"no schema at {path}; see the head of this file")
    return path


def test_kuberays_own_schema_takes_the_job_and_refuses_others() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with educe[ray]")
    definition = yaml.safe_load(schema_file("ray.io_rayjobs.yaml").read_text("utf-8"))
    (version,) = (each for each in definition["spec"]["versions"] if each["name"] == "v1")
    validator = jsonschema.Draft202012Validator(closed(version["schema"]["openAPIV3Schema"]))
    job = {key: value for key, value in manifests()[2].items() if key != "metadata"}  # its own schema is Kubernetes'
    validator.validate(job)
    for name, change in MALFORMED.items():
        written = deepcopy(manifests())
        change(written)
        wrong = {key: value for key, value in written[2].items() if key != "metadata"}
        assert name == "an amount that is none" or list(validator.iter_errors(wrong)), name


@pytest.mark.slow
def test_the_job_runs_on_a_cluster_whose_head_takes_no_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the engine and the command of the file, where KubeRay runs it: on the head, which Ray tells the address."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    no_figures(monkeypatch)
    config, _, job = read_manifests(manifests())
    options = entrypoint_options(job.spec.entrypoint)
    engine = yaml.safe_load(config.data.study)["engine"]
    study = study_file(tmp_path, engine=engine, models=["tiny-random", {"tiny-random": {"name": "b"}}])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        cluster.add_node(num_cpus=4 * options.workers, num_gpus=options.workers)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        arguments = ("--engine", options.engine, "--workers", options.workers)
        assert run_cli("run", study, "--out", tmp_path / "out", *arguments) == 0
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert "workers by ray" in capsys.readouterr().err
    assert run_cli("verify", tmp_path / "out") == 0


SKY_MALFORMED: dict[str, Change] = {
    "a key that a task has not": lambda w: w.update(setups="true"),
    "a key that a machine has not": lambda w: w["resources"].update(gpu="H100"),
    "a command that is no text": lambda w: w.update(run=["educe"]),
    "variables as a list": lambda w: w.update(envs=["NAME=x"]),
    "a disk of no size": lambda w: w["resources"].update(disk_size="big"),
    "a mode that a bucket has not": lambda w: w["file_mounts"]["/bucket"].update(mode="MOUNTED"),
    "a key that a bucket has not": lambda w: w["file_mounts"]["/bucket"].update(bucket="x"),
}


def test_skypilot_reads_the_task() -> None:
    task = SkyTask.model_validate(sky_task())
    assert task.file_mounts["/bucket"].mode == "MOUNT_CACHED", "rsync writes into files"
    assert (REPOSITORY / task.envs["STUDY"]).is_file()
    assert "constraints.txt" in task.setup and " --python 3.11 " in task.setup
    (command,) = re.findall(r"/bin/educe (.*) &", task.run)
    options = _parser().parse_args(shlex.split(command))
    assert (options.study, options.out, options.workers) == ("$STUDY", "$here", None), "one worker for each GPU"


@pytest.mark.parametrize("change", SKY_MALFORMED.values(), ids=SKY_MALFORMED)
def test_skypilot_keys_that_are_not_there_are_noticed(change: Change) -> None:
    written = sky_task()
    change(written)
    with pytest.raises(ValidationError):
        SkyTask.model_validate(written)


def test_skypilots_own_schema_takes_the_task_and_refuses_others() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with educe[ray]")
    task, bucket = (
        jsonschema.Draft202012Validator(json.loads(schema_file(f"skypilot-{name}.json").read_text("utf-8")))
        for name in ("task", "storage")
    )

    def errors(written: Any) -> list[Any]:
        return [*task.iter_errors(written), *bucket.iter_errors(written["file_mounts"]["/bucket"])]

    assert errors(sky_task()) == []
    # Its modes are a keyword of its own, which other validators do not know; resources have a schema of their own.
    for name, change in SKY_MALFORMED.items():
        written = sky_task()
        change(written)
        other = "a machine" in name or "a disk" in name or "a mode" in name
        assert other or errors(written), name


class Machine:
    """A machine of a cloud for the commands of skypilot.yaml: a home of its own, a bucket that outlives it."""

    def __init__(self, folder: Path, bucket: Path, study: Path) -> None:
        self.home, self.bucket = folder, bucket
        program = folder / "educe" / "bin" / "educe"
        program.parent.mkdir(parents=True)
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; from tests.recipes.small import main_without_figures; '
            'main_without_figures(sys.argv[1:])" "$@"\n'
        )
        (folder / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.3\n")
        for each in (program, folder / "sleep"):
            each.chmod(0o755)
        # SkyPilot's own lines come after those of the task, and see how the task ended.
        text = f"{sky_task()['run'].replace('/bucket/', f'{bucket}/')}\necho flushed after $?\n"
        environment = {
            **os.environ, "HOME": str(folder), "PATH": f"{folder}:{os.environ['PATH']}", "NAME": "mine",
            "STUDY": str(study), "PYTHONPATH": os.pathsep.join(sys.path),
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["bash", "-c", text], cwd=REPOSITORY, env=environment, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def take_away(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def output(self) -> str:
        return self.process.communicate(timeout=300)[0]


@pytest.mark.slow
def test_a_study_on_a_cloud_goes_on_after_its_machine_was_taken_away(tmp_path: Path) -> None:
    """From what the bucket had got, of which one cell only in part."""
    study, bucket = study_file(tmp_path, seeds=list(range(6)), examples=[2, 4, 8]), tmp_path / "bucket"
    first = Machine(tmp_path / "first", bucket, study)
    while len(stored(bucket)) < 3:
        assert first.process.poll() is None, first.output()
        time.sleep(0.1)
    first.take_away()
    kept = stored(bucket)
    damaged = kept[0] / "outcomes.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    second = Machine(tmp_path / "second", bucket, study)
    said = second.output()
    assert "flushed after 0" in said, said
    assert said.count("it is run again") == 1
    cells = len(small_study(tmp_path, seeds=list(range(6)), examples=[2, 4, 8]).cells())
    assert len(kept) < len(stored(bucket)) == cells
    assert f"[{len(kept)}/{cells}]" in said, "the other cells are not run again"
    assert run_cli("verify", bucket / "mine") == 0


@pytest.mark.slow
def test_a_study_on_a_cloud_that_fails_says_so_after_its_files_are_copied(tmp_path: Path) -> None:
    study, bucket = study_file(tmp_path, models=["path:gone"]), tmp_path / "bucket"
    assert "flushed after 2" in Machine(tmp_path / "first", bucket, study).output()


def stored(bucket: Path) -> list[Path]:
    """The folders of cells that the bucket has as a whole, as far as their seals say."""
    return sorted(each.parent for each in bucket.glob("mine/cells/*/*/*/*/seal.json") if each.stat().st_size)
