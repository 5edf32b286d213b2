"""Read values of Avro's binary encoding (Avro 1.11, "Binary Encoding") without their schema, which the caller knows."""


class AvroError(Exception):
    """The bytes end within a value, or are no value of the type."""


class AvroReader:
    """Reads one value after the other. Every method raises AvroError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read_long(self) -> int:
        """Return a `long` or `int`: seven bits a byte, the lowest first, the sign in the lowest bit."""
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)
            if shift > 63:
                raise AvroError("A number has more than 64 bits")

    def read_string(self) -> str:
        """Return a `string`."""
        try:
            return self._take(self.read_long()).decode()
        except UnicodeDecodeError:
            raise AvroError("A text is not UTF-8") from None

    def read_boolean(self) -> bool:
        """Return a `boolean`."""
        byte = self._take(1)[0]
        if byte > 1:
            raise AvroError("A boolean is neither 0 nor 1")
        return byte == 1

    def read_optional_string(self) -> str | None:
        """Return a union of null and string."""
        branch = self.read_long()
        if branch not in (0, 1):
            raise AvroError("A union has no such branch")
        return self.read_string() if branch else None

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._content):
            raise AvroError("It ends within a value")
        start, self._at = self._at, end
        return self._content[start:end]
