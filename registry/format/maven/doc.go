// Package maven is the Maven format: the repository layout of Maven 2 that mvn, Gradle, sbt and their like read and write.
//
//	GET|HEAD {group/…}/{artifact}/{version}/{file}      an asset; in a -SNAPSHOT folder one of a build
//	GET|HEAD {any file}.md5 .sha1 .sha256 .sha512       computed from what is stored, never stored themselves
//	GET|HEAD {group/…}/{artifact}/maven-metadata.xml    the versions of an artifact, or the plugins of a group
//	GET|HEAD …/{base}-SNAPSHOT/maven-metadata.xml       the newest build of a snapshot
//	PUT      the same addresses
//
// A version is Unfinished from its first file until a maven-metadata.xml names it. Clients' metadata is read for that and never
// served: it is generated from what is there, so that clients that publish at once lose nothing.
//
// A build of a snapshot ("1.0-20210728.194552-1") is a version of its own, Unlisted once it is finished. "1.0-SNAPSHOT" is a version
// that has the assets of the newest build of its repository; clients are told of the newest build of the whole chain.
//
// Sources: https://maven.apache.org/repositories/layout.html, https://maven.apache.org/repositories/metadata.html,
// https://maven.apache.org/pom.html#Version_Order_Specification and the user guide, "Using CodeArtifact with Maven".
package maven
