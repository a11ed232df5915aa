package graph

// ViewerFields are the fields that depend on who is asking.
var ViewerFields = viewerFields
