// Package console has the commands by which the operator of a running server looks after its
// rooms, invites and nodes: earshot room, invite, node and audit. Each makes its requests with
// [operator.Client], and prints a table or, with --json, the response.
package console
