//! The port of the operators.
