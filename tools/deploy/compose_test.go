package deploy_test

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Compose's own loader holds the file against its schema.
func TestComposeFile(t *testing.T) {
	load := func(env ...string) (*types.Project, error) {
		options, err := cli.NewProjectOptions([]string{root + "deploy/compose.yaml"}, cli.WithEnv(env), cli.WithInterpolation(true))
		require.NoError(t, err)
		return options.LoadProject(t.Context())
	}
	_, err := load()
	require.ErrorContains(t, err, "EARSHOT_TOKEN", "it does not start with a token that anybody can guess")

	project, err := load("EARSHOT_TOKEN=secret", "EARSHOT_WORKERS=3")
	require.NoError(t, err)
	require.NoError(t, project.CheckContainerNameUnicity())
	worker := project.Services["worker"]
	assert.Equal(t, 3, worker.GetScale())
	coordinator := project.Services["coordinator"]
	assert.Contains(t, coordinator.Command, "--workers=3")
	assert.Contains(t, coordinator.Command, "--token=secret")
	assert.Equal(t, types.ServiceConditionHealthy, coordinator.DependsOn["server"].Condition)
	assert.Contains(t, coordinator.DependsOn, "worker")
	for name, s := range project.Services {
		assert.Equal(t, "host", s.NetworkMode, name)
		assert.True(t, s.ReadOnly, name)
		assert.Equal(t, "secret", *s.Environment["EARSHOT_WORKER_TOKEN"], name)
	}
}
