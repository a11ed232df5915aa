package httpserver

// Bounds of what large headers and URLs may hold until their requests are answered.
// Those of usual size are not counted: each connection may have one.
const (
	usualHeader      = 16 << 10 // bytes
	headersOfNetwork = 16 << 20 // of one network; wider ones may have twice and four times as much
	headersOfAll     = 64 << 20
)

// receive counts n more bytes of a request's headers, and reports whether the client's
// networks may hold so many at once.
func (c *connection) receive(n int) bool {
	c.header += n
	return c.place == nil || c.header <= usualHeader || c.place.holdHeaders(c.header-usualHeader)
}

// holdHeaders says how many bytes of large headers the connection holds. It changes
// nothing and returns false if the place's groups would hold too many.
func (p *place) holdHeaders(bytes int) bool {
	p.crowd.mu.Lock()
	defer p.crowd.mu.Unlock()
	more := bytes - p.headers
	for i, g := range p.groups {
		most := headersOfNetwork << i
		if g == &p.crowd.all {
			most = headersOfAll
		}
		if more > 0 && g.headers+more > most {
			p.crowd.refused++
			return false
		}
	}
	p.holdHeadersLocked(bytes)
	return true
}

func (p *place) holdHeadersLocked(bytes int) {
	for _, g := range p.groups {
		g.headers += bytes - p.headers
	}
	p.headers = bytes
}
