package maven

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"com.mycompany.app", "my-app"}, {"junit", "junit"}},
		Versions: []string{
			"1.0-alpha-1", "1.0-alpha-2", "1.0-beta1", "1.0-m3", "1.0-rc1", "1.0-SNAPSHOT", "1.0-20210728.194552-1", "1.0-20210728.194552-2", "1.0-20210729.171330-1",
			"1", "1-sp", "1-x", "1-1", "1.1", "1.2", "1.10", "7.3.1-8691043", "20030203.000129",
		},
		Assets: []string{"my-app-1.0.jar", "my-app-1.0-sources.jar", "my-app-1.0.tar.gz", "my-app-1.0.pom.asc", "my-app-1.0"},
		Reads: []string{
			"com/mycompany/app/my-app/1.0/my-app-1.0.jar", "com/mycompany/app/my-app/1.0/my-app-1.0.jar.sha1", "com/mycompany/app/my-app/maven-metadata.xml",
			"com/mycompany/app/my-app/maven-metadata.xml.md5", "com/mycompany/app/my-app/1.0-SNAPSHOT/maven-metadata.xml",
			"com/mycompany/app/my-app/1.0-SNAPSHOT/my-app-1.0-20210728.194552-1.jar", "com/mycompany/app/my-app/1.0-SNAPSHOT/my-app-1.0-SNAPSHOT.jar",
			"com/mycompany/app/my-app/1.0-20210728.194552-1/my-app-1.0-20210728.194552-1.jar", "com/mycompany/maven-metadata.xml",
		},
		Writes: []string{
			"PUT com/mycompany/app/my-app/1.0/my-app-1.0.jar", "PUT com/mycompany/app/my-app/1.0/my-app-1.0.jar.sha1", "PUT com/mycompany/app/my-app/maven-metadata.xml",
			"PUT com/mycompany/app/my-app/1.0-SNAPSHOT/maven-metadata.xml", "PUT com/mycompany/app/my-app/maven-metadata.xml.sha1",
		},
	})
}
