// Command genchart writes charts/packhouse from config: the same manifests, with values in place of what an installation chooses. So
// the chart cannot install anything else than "kubectl apply -k config/default" does.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// replacement is one place that values decide. Each must be there, so that a change of config is not missed here.
type replacement struct{ old, with string }

// template is a file of the chart, made of files of config.
type template struct {
	out, in string
	replace []replacement
}

func templates() []template {
	namespace := replacement{"namespace: packhouse-system", "namespace: {{ .Release.Namespace }}"}
	return []template{
		{"clusterrole.yaml", "rbac/role.yaml", nil},
		{"bindings.yaml", "rbac/bindings.yaml", []replacement{namespace}},
		{"metrics.yaml", "rbac/metrics.yaml", []replacement{namespace}},
		{"users.yaml", "rbac/users.yaml", nil},
		{"operator.yaml", "manager/operator.yaml", []replacement{
			{namespaceObject, ""}, // helm makes it
			namespace,
			{"  replicas: 1\n", "  replicas: {{ .Values.replicas }}\n"},
			{"          image: packhouse/operator:dev\n          imagePullPolicy: IfNotPresent\n",
				"          image: {{ printf \"%s:%s\" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}\n          imagePullPolicy: {{ .Values.image.pullPolicy }}\n"},
			{`args: [--registry-image, "packhouse/registry:dev"]`,
				`args: [--registry-image, {{ printf "%s:%s" .Values.registryImage.repository (.Values.registryImage.tag | default .Chart.AppVersion) | quote }}]`},
			{"          resources:\n            requests: {cpu: 50m, memory: 64Mi}\n            limits: {memory: 512Mi}\n",
				"          resources: {{- toYaml .Values.resources | nindent 12 }}\n"},
			{"      serviceAccountName: packhouse-operator\n",
				"      serviceAccountName: packhouse-operator\n      {{- with .Values.imagePullSecrets }}\n      imagePullSecrets: {{- toYaml . | nindent 8 }}\n      {{- end }}\n" +
					"      {{- with .Values.nodeSelector }}\n      nodeSelector: {{- toYaml . | nindent 8 }}\n      {{- end }}\n" +
					"      {{- with .Values.tolerations }}\n      tolerations: {{- toYaml . | nindent 8 }}\n      {{- end }}\n"},
		}},
	}
}

const namespaceObject = `apiVersion: v1
kind: Namespace
metadata:
  name: packhouse-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
---
`

func main() {
	log.SetFlags(0)
	config := flag.String("config", "config", "folder of the manifests")
	out := flag.String("out", "charts/packhouse", "folder of the chart")
	flatten := flag.String("flatten", "", "print the manifests of a folder with kustomization.yaml instead")
	flag.Parse()
	if *flatten != "" {
		if err := printAll(*flatten); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(*config, *out); err != nil {
		log.Fatal(err)
	}
}

func run(config, out string) error {
	for _, t := range templates() {
		b, err := os.ReadFile(filepath.Join(config, filepath.FromSlash(t.in)))
		if err != nil {
			return err
		}
		text, err := t.render(string(b))
		if err != nil {
			return err
		}
		if err := write(filepath.Join(out, "templates", t.out), text); err != nil {
			return err
		}
	}
	return crds(filepath.Join(config, "crd", "bases"), filepath.Join(out, "crds"))
}

func (t template) render(text string) (string, error) {
	if strings.Contains(text, "{{") {
		return "", fmt.Errorf("%s has braces, which a chart would take for its own", t.in)
	}
	for _, r := range t.replace {
		if !strings.Contains(text, r.old) {
			return "", fmt.Errorf("%s: there is no %q any more", t.in, r.old)
		}
		text = strings.ReplaceAll(text, r.old, r.with)
	}
	return "{{- /* Written by hack/genchart from config/" + t.in + ". Do not edit; run make generate. */}}\n" + text, nil
}

// crds copies the definitions. Helm installs what is in this folder before anything else, and never deletes it.
func crds(from, to string) error {
	paths, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(to, "*.yaml"))
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(to, filepath.Base(p)), string(b)); err != nil {
			return err
		}
	}
	return nil
}

// printAll prints the files that a kustomization and those below it name.
func printAll(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err != nil {
		return err
	}
	var k struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.Unmarshal(b, &k); err != nil {
		return err
	}
	for _, r := range k.Resources {
		path := filepath.Join(dir, filepath.FromSlash(r))
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if err := printAll(path); err != nil {
				return err
			}
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Printf("---\n%s\n", text)
	}
	return nil
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
