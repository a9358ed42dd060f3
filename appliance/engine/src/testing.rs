//! The conformance suite that every engine passes, and a mount in memory to run handlers on.
