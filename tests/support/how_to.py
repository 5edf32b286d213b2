"""What a how-to tells its reader to set, so that a test plays a sender with exactly that."""

import re
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "docs" / "how-to"


class HowTo:
    """One of docs/how-to, by its name."""

    def __init__(self, name: str) -> None:
        self.text = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")

    def setting(self, name: str) -> str:
        """The value in the table of the sender's settings: the first code in its row."""
        return self._only(rf"^\| (?:.*, )?\*\*{re.escape(name)}\*\* \| `([^`]+)`")

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables of the system that it starts; writes the file of connections."""
        file = folder / self._only(r'^export PROGRESS_CONNECTIONS="\$PWD/(\S+)"$')
        file.write_text(self._only(rf"^cat > {re.escape(file.name)} <<'END'\n(.*?)^END$"), encoding="utf-8")
        tokens = self._only(r"^export PROGRESS_API_TOKENS='(.*)'$")
        return {"PROGRESS_CONNECTIONS": str(file), "PROGRESS_API_TOKENS": tokens}

    def _only(self, pattern: str) -> str:
        (found,) = re.findall(pattern, self.text, re.MULTILINE | re.DOTALL if "END" in pattern else re.MULTILINE)
        return str(found)
