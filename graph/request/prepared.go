package request

// PreparedKey is the extension of an operation's statistics that has what was prepared for
// executing its document. It is kept as long as the document.
const PreparedKey = "ChirpPrepared"
