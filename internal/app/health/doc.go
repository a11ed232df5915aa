// Package health knows whether a server does its work: how far the views and
// the pushes are behind the log, and whether the store takes writes.
package health
