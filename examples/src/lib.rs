//! The examples are the files beside this folder, in the order of their numbers.
