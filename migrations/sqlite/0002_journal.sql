-- Texts that are stored and not yet at their places in `messages`: JSON, one row a batch, in the order in which they came.
-- Whoever reads or changes a conversation has what it has here moved first, see src/store/sqlite/log/journal.rs.
CREATE TABLE journal (
    id      INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;

-- Counts the changes of the journal, so that the process sees when one was rolled back.
CREATE TABLE journal_version (
    version INTEGER NOT NULL
) STRICT;
INSERT INTO journal_version (version) VALUES (0);
