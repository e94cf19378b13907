// Package sigv4 verifies requests that are signed with AWS Signature Version 4, in the Authorization header or in the query (presigned).
// The libraries that sign are clients' and change requests while they sign; there is none for the other side, so this one stands on
// the specification and AWS's test vectors (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
//
// It knows nothing of who may do what. A secret never stands in an error.
package sigv4
