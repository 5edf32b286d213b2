"""Keep mail addresses out of names that are IRIs."""

import re

from worker.adapters.names import mail_name

_MAIL = re.compile(
    r"(?<![^/=:])(?:mailto:)?[\w.+-]+(?:@|%40)[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?![^/?&#])", re.IGNORECASE
)
"""An address that is a whole part of an IRI; Open edX has other things around an `@`."""


def without_mail(iri: str) -> str:
    """Return the IRI with the hash of each mail address in place of it; see `mail_name`."""
    return _MAIL.sub(lambda mail: mail_name(mail[0].replace("%40", "@")), iri) if "@" in iri or "%40" in iri else iri
