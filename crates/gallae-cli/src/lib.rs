//! The verbs of the platform, one file each.
