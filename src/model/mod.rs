//! (opening lines: purpose and promise)
