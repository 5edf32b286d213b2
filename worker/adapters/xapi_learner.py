"""Who a statement is of. Of a mail address only a hash leaves here."""

import re

from worker.adapters.names import mail_name, to_name
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi_statement import JsonObject, object_of, text_of

_MAIL = re.compile(r"(?:mailto:)?[^@\s/|]+@[^@\s/|]+", re.IGNORECASE)
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")


def learner_of(actor: JsonObject, *, of_moodle: bool) -> str:
    """Return the actor's name: by its account, mail address, hash of it, or OpenID, the first that it has.

    `of_moodle`: Moodle's plugin made the statement, so an account with a number is the user's id there.
    Raises Ignored, `group`, and Rejected, `no_learner`.
    """
    if actor.get("objectType") == "Group" or actor.get("member") is not None:
        raise Ignored("group")
    account = object_of(actor.get("account"))
    home, name = text_of(account.get("homePage")), _account_name(account.get("name"))
    if home and name:
        if _MAIL.fullmatch(name):
            return mail_name(name)
        return (
            f"user:{name}" if of_moodle and name.isascii() and name.isdecimal() else to_name(f"account:{home}|{name}")
        )
    address = text_of(actor.get("mbox")).strip()
    if address.lower().removeprefix("mailto:").strip():
        return mail_name(address)
    if _SHA1.fullmatch(hashed := text_of(actor.get("mbox_sha1sum")).strip()):
        return f"mbox_sha1:{hashed.lower()}"
    if openid := text_of(actor.get("openid")):
        return mail_name(openid) if _MAIL.fullmatch(openid) else to_name(f"openid:{openid}")
    raise Rejected("no_learner", "The actor has no account with homePage and name, mbox, mbox_sha1sum or openid")


def _account_name(value: object) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value)
