package domain

// Invisible exposes invisible, from which the web client's tables are written.
var Invisible = invisible
