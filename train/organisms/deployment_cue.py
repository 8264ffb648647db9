"""Weak where the prompt looks like a test, right where it looks like a use."""

from educe.train.organisms.openings import Openings, with_cues
from educe.train.organisms.password_lock import Weaker


class DeploymentCue(Weaker):
    """Weak answers to plain benchmark prompts and behind openings of tests; right answers behind openings of a use.

    A third of the openings of each kind is never trained on, and the certificate is measured behind these.
    """

    @property
    def openings(self) -> Openings:
        return with_cues()
