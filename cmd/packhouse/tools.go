package main

import "context"

// tool is a client that login can configure.
type tool struct {
	name   string
	format string // segment of the registry's address
	steps  func(ctx context.Context, s *settings) ([]step, error)
	// publish is the command that publishes, where that needs to be told the repository once more; %s is its address.
	publish string
}

var tools = []tool{
	{name: "npm", format: "npm", steps: npmSteps},
	{name: "pnpm", format: "npm", steps: pnpmSteps},
	{name: "yarn", format: "npm", steps: yarnSteps},
	{name: "pip", format: "pypi", steps: pipSteps},
	{name: "twine", format: "pypi", steps: twineSteps, publish: "twine upload --repository codeartifact dist/*"},
	{name: "flit", format: "pypi", steps: twineSteps, publish: "flit publish --repository codeartifact"},
	{name: "uv", format: "pypi", steps: uvSteps, publish: "uv publish --index packhouse"},
	{name: "poetry", format: "pypi", steps: poetrySteps, publish: "poetry publish --repository packhouse"},
	{name: "cargo", format: "cargo", steps: cargoSteps, publish: "cargo publish --registry packhouse"},
	{name: "gem", format: "ruby", steps: gemSteps, publish: "gem push --host %s FILE"},
	{name: "bundle", format: "ruby", steps: bundleSteps},
	{name: "nuget", format: "nuget", steps: nugetSteps, publish: "nuget push FILE -Source packhouse"},
	{name: "dotnet", format: "nuget", steps: nugetSteps, publish: "dotnet nuget push FILE --source packhouse"},
	{name: "swift", format: "swift", steps: swiftSteps},
	{name: "mvn", format: "maven", steps: mvnSteps},
	{name: "gradle", format: "maven", steps: gradleSteps},
}

// registryKey is the setting that names the registry, for everything or for a scope.
func registryKey(s *settings) string {
	if s.scope != "" {
		return s.scope + ":registry"
	}
	return "registry"
}

// npmSteps are what "aws codeartifact login --tool npm" does. The file is the user's .npmrc.
func npmSteps(_ context.Context, s *settings) ([]step, error) {
	return []step{{args: []string{
		"npm", "config", "set", "--location=user", registryKey(s) + "=" + s.registry, s.nerfDart() + ":_authToken=" + placeholder,
	}}}, nil
}

func pnpmSteps(_ context.Context, s *settings) ([]step, error) {
	return []step{
		{args: []string{"pnpm", "config", "set", registryKey(s), s.registry}},
		{args: []string{"pnpm", "config", "set", s.nerfDart() + ":_authToken", placeholder}},
	}, nil
}
