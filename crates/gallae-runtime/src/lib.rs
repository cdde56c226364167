//! The flow from command to event to view, free of any backend.
