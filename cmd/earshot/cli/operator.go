package cli

const (
	// OperatorTokenEnv is the environment variable with the operator's token.
	OperatorTokenEnv = "EARSHOT_OPERATOR_TOKEN"
	// OperatorTokenFile is the file under --data that keeps it.
	OperatorTokenFile = "operator-token"
)
