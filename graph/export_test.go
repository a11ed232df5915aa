package graph

import "github.com/99designs/gqlgen/graphql/executor"

// Executor lets tests put extensions into a handler.
func (h *Handler) Executor() *executor.Executor { return h.exec.GraphExecutor.(*executor.Executor) }
