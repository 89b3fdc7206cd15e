//! Instructions, allocations and time of single operations, ours and the peers'.
//!
//! An [`Operation`] is what is compared; a [`Subject`](subjects::Subject) is who does it, ours or a
//! peer; a [`Work`] is the one doing the other.
//!
//! # How instructions are counted
//!
//! The program `operation` repeats one work under valgrind's callgrind, which counts from the entry
//! of [`work::counted_run`] to its return. What comes before, as opening the get whose reply is
//! measured, is not in the count, nor is the loop. The same work has run before as often without
//! being counted, so buffers have grown. What the call itself takes is known from
//! [`Operation::Nothing`], and taken off.
//!
//! gungraun (once iai-callgrind) counts in the same way. It needs a runner program of exactly its
//! library's version to be installed, has no peers beside ours and no committed counts; what is left
//! is one call of valgrind, which is here.
//!
//! Counts are the same in each run on one machine, and nearly so on others: libc's memory functions
//! are pinned to the ones that every x86-64 processor can run.
//!
//! # Why two programs
//!
//! The program `instructions` counts allocations by a global allocator that costs instructions
//! itself and never grows a block in its place. What is counted in instructions and in time is the
//! program `operation`, which has the system's allocator, as the users' programs do.
//!
//! [`Operation`]: operation::Operation
//! [`Operation::Nothing`]: operation::Operation::Nothing
//! [`Work`]: work::Work

pub mod baseline;
pub mod callgrind;
mod messages;
pub mod operation;
pub mod profile;
pub mod subjects;
pub mod wall_time;
pub mod work;
