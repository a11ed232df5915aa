package domain

// Invisible is invisible, for the tables that the web client has of it.
var Invisible = invisible
