//! Starts processes, proves blocking, releases meetings, keeps deadlines, collects journals, cleans up.
