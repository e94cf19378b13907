// Package nuget is the NuGet format: version 3 of the protocol, for dotnet, nuget, msbuild and Visual Studio.
//
// Addresses below a repository, all in the folder of the service index, since clients send credentials unasked only there:
//
//	v3/index.json                                        service index
//	v3/flatcontainer/{id}/index.json                     versions, listed and unlisted
//	v3/flatcontainer/{id}/{version}/{id}.{version}.nupkg the package; also .snupkg, {id}.nuspec, readme, icon and license
//	v3/registration{,-gz,-semver2}/{id}/index.json       metadata of all versions
//	                               {id}/page/{from}/{to}.json
//	                               {id}/{version}.json
//	v3/catalog/{id}/{version}.json                       metadata of one version
//	v3/search, v3/autocomplete                           what the repository and its upstream repositories hold
//	v3/vulnerabilities/index.json, all.json              what upstreams know of vulnerable versions
//	v3/package                                           PUT pushes; DELETE {id}/{version} unlists, POST lists again
//	v3/symbolpackage                                     PUT pushes a .snupkg
//
// What is stored: the package file as it came, its catalog entry (the metadata that registrations show, with members that we do not
// know) as the Info of the file, and what people read of it as the document of the version. Everything else is read from the package
// file when it is asked for.
//
// The protocol: https://learn.microsoft.com/nuget/api/overview. Where it leaves something open, NuGet's own client decides
// (https://github.com/NuGet/NuGet.Client).
package nuget
