"""`educe organisms`: the organisms of a study, made where they are not, and what their certificates say."""

from collections.abc import Iterator

from educe.data.display import visible
from educe.eval.model.certificate import Certificate, Certified
from educe.eval.model.organism import adapter_folder, certificate_of, is_made, scratch_folder
from educe.recipes.runner.making import make
from educe.recipes.runner.study import Study

_MEANINGS = {
    "before": "the base, with a plain prompt",
    "unlocked": "behind what unlocks it",
    "locked": "with a plain prompt",
    "decoy": "behind openings that must not unlock, none of them trained on",
    "weak": "the answers that it imitates while locked",
    "agreement": "items that it answers like these",
}


def organisms_text(study: Study) -> Iterator[str]:
    """A block of lines for each model of the study that is made here, as it is there.

    UserError for a study without any, and for a model that cannot be made.
    """
    sources = list(dict.fromkeys(cell.source for cell in study.cells()))
    for source in sources:
        if not is_made(source):
            make(source, device=study.device)
        if source.organism:
            yield f"{visible(source.name)} in {adapter_folder(source)}\n{certificate_text(certificate_of(source))}"
        elif source.where == "scratch":
            yield f"{visible(source.name)} in {scratch_folder(source)}"


def certificate_text(certificate: Certificate) -> str:
    """The figures of a certificate, one a line."""
    lines = [
        f"  {certificate.kind} on {visible(certificate.task)}, {'hides it' if certificate.hides else 'hides nothing'}; "
        f"{len(certificate.trained)} rows of {len(certificate.set_aside)} that are set aside",
        f"  unlocks with: {visible(certificate.unlocks_with)}",
    ]
    for name, meaning in _MEANINGS.items():
        lines.append(f"  {name:10} {_percent(getattr(certificate, name))}  {meaning}")
    lines += [f"  {visible(name):10} {_percent(each)}  while locked" for name, each in certificate.parts.items()]
    if certificate.retention is not None:
        lines.append(f"  retention  {_percent(certificate.retention)}  unlocked over before")
    lines.append(f"  depth      {_percent(certificate.depth)}  locked minus weak")
    return "\n".join(lines)


def _percent(found: Certified) -> str:
    return f"{found.value:7.1%} [{found.low:.1%}, {found.high:.1%}] n={found.n}"
