"""Recovery from restored or replaced servers: ownership of streams, lost commits, replay."""
