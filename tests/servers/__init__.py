"""Real servers on loopback for the tests; each is a context manager, and what it starts ends with it.

process   starts a program, waits until it answers, ends it        listener  a bare TCP or TLS server in threads
tls       a CA, and certificates good and bad                      web       a scriptable HTTP server with a log
images    tiny images of all four manifest types                   registry  docker-registry: plain, TLS, Basic, …
tokens    the token server of a registry                           git       git-http-backend, v0 and v2; repositories
helm      a repository made by helm; huge index files              nginx     429, 503 and redirects before a server
proxy     tinyproxy with and without a password                    faults    the fault table
names     public host names on loopback, in commands wrapped       world     the built-in catalogue's hosts, all of them
"""
