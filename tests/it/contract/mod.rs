//! What every backend of a port promises, tested on each of them.

mod fanout;
