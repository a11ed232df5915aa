package api

// Build lets tests put extensions into a handler's executor.
var Build = build
