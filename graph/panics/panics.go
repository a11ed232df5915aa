// Package panics turns panics into errors, so that a fault fails only the operation
// in which it happens.
package panics

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Error is a panic that was recovered.
type Error struct {
	Value any
	Stack string
}

// Error implements error. It leaves out the stack.
func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Recovered returns the error for a recovered value, an *Error with the stack
// of the caller. It is a graphql.RecoverFunc.
func Recovered(_ context.Context, value any) error {
	return &Error{Value: value, Stack: string(debug.Stack())}
}

// Guard calls work and returns its error, or its panic as an *Error. Goroutines that
// gqlgen does not start need it.
func Guard(ctx context.Context, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Recovered(ctx, v)
		}
	}()
	return work()
}
