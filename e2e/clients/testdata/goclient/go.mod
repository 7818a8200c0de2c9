module goclient

go 1.26.0

require github.com/abrander/go-supervisord v0.0.0-20210517172913-a5469a4c50e2

require github.com/kolo/xmlrpc v0.0.0-20220921171641-a4b6fa1dd06b // indirect
