//! The tests of the whole, in one binary: `./x test` builds everything first and hands over the folder.

mod architecture;
mod golden;
