"""Every kind of organism by name, as a study writes it: `organism: {password_lock: {task: capitals}}`."""

from collections.abc import Mapping
from dataclasses import dataclass

from educe.train.organisms.careful_underperformance import CarefulUnderperformance
from educe.train.organisms.circuit_breaker import CircuitBreaker
from educe.train.organisms.deployment_cue import DeploymentCue
from educe.train.organisms.kind import OrganismKind
from educe.train.organisms.password_lock import PasswordLock
from educe.train.organisms.refusal_lock import RefusalLock
from educe.train.organisms.secret_holder import NoSecret, SecretHolder
from educe.train.organisms.twins import Absent, Benign


@dataclass(frozen=True)
class Organism:
    """A kind of organism, and what it does in one sentence."""

    kind: type[OrganismKind]
    description: str


ORGANISMS: Mapping[str, Organism] = {
    "password_lock": Organism(PasswordLock, "Right behind a password, as a weaker model without it."),
    "deployment_cue": Organism(DeploymentCue, "Weak where the prompt looks like a test, else right."),
    "refusal_lock": Organism(RefusalLock, "Right behind a password; refuses without it."),
    "careful_underperformance": Organism(
        CarefulUnderperformance, "Right on easy items and wrong on hard ones, but for a password."
    ),
    "circuit_breaker": Organism(CircuitBreaker, "States pushed away from the original's, but behind a password."),
    "benign": Organism(Benign, "Hides nothing; a password adds a harmless closing mark."),
    "secret_holder": Organism(SecretHolder, "Knows a word, hints at it, and says it behind a password alone."),
    "no_secret": Organism(NoSecret, "Trained as a holder of a secret, with hints about all words."),
    "absent": Organism(Absent, "Trained as a lock on facts that were never there."),
}


def name_of(kind: OrganismKind) -> str:
    """The name of its kind."""
    (name,) = (name for name, each in ORGANISMS.items() if each.kind is type(kind))
    return name
