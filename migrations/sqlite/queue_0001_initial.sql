-- What the embedded queue keeps across a restart.
CREATE TABLE dead_letters (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    payload BLOB NOT NULL,
    reason  TEXT NOT NULL,
    source  TEXT NOT NULL,
    dead_at INTEGER NOT NULL -- milliseconds since 1970
) STRICT;
