// Package deploy_test checks what is in deploy as those who read it would: the manifests
// are built by kustomize and decoded strictly into the types of Kubernetes' API. What
// they promise one another is checked as well, since no cluster does so.
package deploy_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const root = "../../"

// manifests are the objects of a folder of deploy/kubernetes, by kind and name. A
// misspelt field is an error.
type manifests map[string]runtime.Object

func build(t *testing.T, folder string) manifests {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), root+"deploy/kubernetes/"+folder)
	require.NoError(t, err)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme} {
		require.NoError(t, add(scheme))
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	objects := manifests{}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		object, kind, err := strict.Decode(text, nil, nil)
		require.NoError(t, err, "%s", text)
		meta := object.(metav1.Object)
		assert.Empty(t, validation.IsDNS1123Label(meta.GetName()), meta.GetName())
		if kind.Kind != "Namespace" {
			assert.Equal(t, "earshot", meta.GetNamespace(), "%s %s", kind.Kind, meta.GetName())
		}
		objects[kind.Kind+" "+meta.GetName()] = object
	}
	return objects
}

func get[T runtime.Object](t *testing.T, m manifests, name string) T {
	t.Helper()
	object, ok := m[name].(T)
	require.True(t, ok, "there is no %s", name)
	return object
}

// pods are the templates of all pods.
func (m manifests) pods() map[string]corev1.PodTemplateSpec {
	pods := map[string]corev1.PodTemplateSpec{}
	for name, object := range m {
		switch o := object.(type) {
		case *batchv1.Job:
			pods[name] = o.Spec.Template
		case *appsv1.StatefulSet:
			pods[name] = o.Spec.Template
		}
	}
	return pods
}

func TestServerHasItsNodesNetworkAndIsNotEvicted(t *testing.T) {
	m := build(t, "server")
	server := get[*appsv1.StatefulSet](t, m, "StatefulSet server")
	service := get[*corev1.Service](t, m, "Service server")
	budget := get[*policyv1.PodDisruptionBudget](t, m, "PodDisruptionBudget server")
	pod := server.Spec.Template
	assert.Equal(t, server.Spec.ServiceName, service.Name)
	assert.EqualValues(t, 1, *server.Spec.Replicas, "a room is in one process")
	assert.EqualValues(t, 1, budget.Spec.MinAvailable.IntVal)
	assert.True(t, pod.Spec.HostNetwork)
	assert.Equal(t, corev1.DNSClusterFirstWithHostNet, pod.Spec.DNSPolicy)
	for _, selector := range []labels.Selector{
		labels.SelectorFromSet(service.Spec.Selector), selectorOf(t, server.Spec.Selector), selectorOf(t, budget.Spec.Selector),
	} {
		assert.True(t, selector.Matches(labels.Set(pod.Labels)), "%s does not select %v", selector, pod.Labels)
	}
	container := pod.Spec.Containers[0]
	drain := container.Lifecycle.PreStop.Sleep.Seconds
	assert.Positive(t, drain)
	assert.Greater(t, *pod.Spec.TerminationGracePeriodSeconds, drain+10, "it is left time to say goodbye")
	assertPort(t, container, service)
	assert.Equal(t, "privileged", get[*corev1.Namespace](t, m, "Namespace earshot").Labels["pod-security.kubernetes.io/enforce"], "other levels forbid the host's network")
}

// assertPort requires that a service leads to the port that a container has by that name.
func assertPort(t *testing.T, container corev1.Container, service *corev1.Service) {
	t.Helper()
	require.Len(t, service.Spec.Ports, 1)
	var found bool
	for _, p := range container.Ports {
		if p.Name == service.Spec.Ports[0].Name {
			found = true
			assert.Equal(t, p.ContainerPort, service.Spec.Ports[0].Port)
		}
	}
	assert.True(t, found)
}

func selectorOf(t *testing.T, s *metav1.LabelSelector) labels.Selector {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	return selector
}

// All pods are of one image, run without privileges, take their secrets from the Secret
// that docs/distributed.md makes, and are told by variables that are there.
func TestPodsHaveNoPrivilegesAndOneImage(t *testing.T) {
	images, user := map[string]bool{}, userOfImage(t)
	folders, err := os.ReadDir(root + "deploy/kubernetes")
	require.NoError(t, err)
	for _, folder := range folders {
		for name, pod := range build(t, folder.Name()).pods() {
			require.Len(t, pod.Spec.Containers, 1, name)
			container := pod.Spec.Containers[0]
			images[container.Image] = true
			assert.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, name)
			assert.Equal(t, user, *pod.Spec.SecurityContext.RunAsUser, name)
			assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.Spec.SecurityContext.SeccompProfile.Type, name)
			assert.False(t, *pod.Spec.AutomountServiceAccountToken, name)
			assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation, name)
			assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
			assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, name)
			assert.NotContains(t, container.Resources.Limits, corev1.ResourceCPU, "%s: a quota of CPU makes audio late, and runs invalid", name)
			known := map[string]bool{}
			for _, e := range container.Env {
				known[e.Name] = true
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					assert.Equal(t, "earshot", e.ValueFrom.SecretKeyRef.Name, name)
					assert.Contains(t, []string{"operator-token", "worker-token"}, e.ValueFrom.SecretKeyRef.Key, name)
				}
			}
			for _, arg := range container.Args {
				if _, variable, found := strings.Cut(arg, "$("); found {
					variable, _, _ = strings.Cut(variable, ")")
					assert.True(t, known[variable], "%s: $(%s) is not set", name, variable)
				}
			}
		}
	}
	assert.Len(t, images, 1, "workers of another build are refused")
}

// userOfImage returns the user as whom the image's program runs.
func userOfImage(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(root + "Containerfile")
	require.NoError(t, err)
	users := regexp.MustCompile(`(?m)^USER (\d+):\d+$`).FindAllSubmatch(text, -1)
	require.NotEmpty(t, users, "a cluster wants to see by a number that it is not root")
	user, err := strconv.ParseInt(string(users[len(users)-1][1]), 10, 64)
	require.NoError(t, err)
	assert.Positive(t, user)
	return user
}
