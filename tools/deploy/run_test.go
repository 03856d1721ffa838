package deploy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func TestRunIsPlayedOnceByAllWorkersOrNotAtAll(t *testing.T) {
	m := build(t, "run")
	coordinator, workers := get[*batchv1.Job](t, m, "Job coordinator"), get[*batchv1.Job](t, m, "Job workers")
	for _, job := range []*batchv1.Job{coordinator, workers} {
		assert.Zero(t, *job.Spec.BackoffLimit)
		assert.Equal(t, corev1.RestartPolicyNever, job.Spec.Template.Spec.RestartPolicy)
	}
	assert.Equal(t, batchv1.IndexedCompletion, *workers.Spec.CompletionMode)
	assert.Equal(t, *workers.Spec.Completions, *workers.Spec.Parallelism)

	var config *corev1.ConfigMap
	for _, object := range m {
		if c, ok := object.(*corev1.ConfigMap); ok {
			config = c
		}
	}
	require.NotNil(t, config)
	assert.Equal(t, fmt.Sprint(*workers.Spec.Completions), config.Data["workers"], "the coordinator waits for as many as there are")
	pod := coordinator.Spec.Template.Spec
	assert.Equal(t, config.Name, pod.Volumes[0].ConfigMap.Name)
	assert.Contains(t, config.Data, "scenario.yaml")
	assert.Contains(t, pod.Containers[0].Args, pod.Containers[0].VolumeMounts[0].MountPath+"/scenario.yaml")
	assert.Contains(t, pod.Containers[0].Args, "--workers=$(WORKERS)")

	service := get[*corev1.Service](t, m, "Service coordinator")
	assert.Equal(t, corev1.ClusterIPNone, service.Spec.ClusterIP)
	assert.True(t, labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(coordinator.Spec.Template.Labels)))
	assert.True(t, service.Spec.PublishNotReadyAddresses)
	assertPort(t, pod.Containers[0], service)
	address := fmt.Sprintf("%s:%d", service.Name, service.Spec.Ports[0].Port)
	assert.Contains(t, workers.Spec.Template.Spec.Containers[0].Args, "--join=nats://"+address)
	assert.Contains(t, pod.Containers[0].Args, fmt.Sprintf("--coordinate=0.0.0.0:%d", service.Spec.Ports[0].Port))

	target := get[*corev1.Service](t, build(t, "server"), "Service server")
	assert.Contains(t, pod.Containers[0].Args, fmt.Sprintf("--target=http://%s:%d", target.Name, target.Spec.Ports[0].Port))
}
