#!/usr/bin/env bash
# certs.sh DIR [SAN...]: makes what the components of one control plane on this machine show each other.
#
#   DIR/pki/ca.{crt,key}                        who is who in the cluster
#   DIR/pki/apiserver.{crt,key}                 the API server, to all
#   DIR/pki/apiserver-kubelet-client.{crt,key}  the API server, to the kubelets
#   DIR/pki/apiserver-etcd-client.{crt,key}     the API server, to etcd
#   DIR/pki/sa.{key,pub}                        signs the tokens of service accounts
#   DIR/pki/etcd/ca.{crt,key}                   who may talk to etcd: an authority of its own, since everybody
#                                               who has a certificate of it may read and write everything
#   DIR/pki/etcd/server.{crt,key}               etcd, to its clients
#   DIR/kubelet.{crt,key}                       the kubelet, to the API server that asks it for logs
#   DIR/{admin,controller-manager,scheduler,kubelet,kube-proxy}.conf
#                                               kubeconfigs with certificate and key in them
#
# The names are kubeadm's. The server certificates are for 127.0.0.1, localhost and this machine's name; SAN adds
# others, as openssl writes them: IP:10.4.7.21 DNS:k8s.example.com. A file that is there is kept: to renew one, remove
# it (with its key) and run this again. Certificates are good for DAYS days (365), the two authorities for ten times that.
#
# As root the files are given to those who read them: the users in ETCD_USER (etcd) and KUBE_USER (kube).
# It needs OpenSSL 3.
set -euo pipefail
umask 077

[ $# -ge 1 ] || { echo "usage: $0 DIR [SAN...]" >&2; exit 2; }
dir=$1
shift
node=$(hostname | tr '[:upper:]' '[:lower:]')
server=$(IFS=,; echo "IP:127.0.0.1,DNS:localhost,DNS:$node${*:+,$*}")
days=${DAYS:-365}
pki=$dir/pki
mkdir -p "$pki/etcd"

# pair FILE DAYS SUBJECT [OPTION...]: FILE.key, and FILE.crt for it
pair() {
	local file=$1 days=$2 subject=$3 out
	shift 3
	[ ! -e "$file.crt" ] || return 0
	# The configuration is given because the system's would add extensions of its own.
	out=$(openssl req -x509 -config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-noenc -keyout "$file.key" -out "$file.crt" -days "$days" -subj "$subject" "$@" 2>&1) || { echo "$out" >&2; exit 1; }
}

authority() { # FILE NAME
	pair "$1" $((10 * days)) "/CN=$2" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

issue() { # AUTHORITY FILE SUBJECT USAGE [NAMES]
	pair "$2" "$days" "$3" -CA "$1.crt" -CAkey "$1.key" -addext basicConstraints=critical,CA:FALSE \
		-addext keyUsage=critical,digitalSignature -addext "extendedKeyUsage=$4" ${5:+-addext "subjectAltName=$5"}
}

kubeconfig() { # NAME SUBJECT
	local file=$dir/$1.conf tmp
	[ ! -e "$file" ] || return 0
	tmp=$(mktemp -d)
	issue "$pki/ca" "$tmp/client" "$2" clientAuth
	cat >"$file" <<-EOF
		apiVersion: v1
		kind: Config
		clusters:
		- name: kubernetes
		  cluster:
		    server: https://127.0.0.1:6443
		    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
		users:
		- name: $1
		  user:
		    client-certificate-data: $(base64 -w0 "$tmp/client.crt")
		    client-key-data: $(base64 -w0 "$tmp/client.key")
		contexts:
		- name: $1
		  context: {cluster: kubernetes, user: $1}
		current-context: $1
	EOF
	rm -r "$tmp"
}

authority "$pki/ca" kubernetes
authority "$pki/etcd/ca" etcd
issue "$pki/etcd/ca" "$pki/etcd/server" "/CN=$node" serverAuth,clientAuth "$server"
issue "$pki/etcd/ca" "$pki/apiserver-etcd-client" /CN=kube-apiserver clientAuth
# 10.96.0.1 is what pods know the API server as: the first address of --service-cluster-ip-range.
issue "$pki/ca" "$pki/apiserver" /CN=kube-apiserver serverAuth \
	"$server,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
issue "$pki/ca" "$pki/apiserver-kubelet-client" /O=system:masters/CN=kube-apiserver clientAuth
issue "$pki/ca" "$dir/kubelet" "/O=system:nodes/CN=system:node:$node" serverAuth "$server"
[ -e "$pki/sa.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/sa.key"
[ -e "$pki/sa.pub" ] || openssl pkey -in "$pki/sa.key" -pubout -out "$pki/sa.pub"

# The names in the subjects are what the cluster's built-in roles are bound to.
kubeconfig admin /O=system:masters/CN=admin
kubeconfig controller-manager /CN=system:kube-controller-manager
kubeconfig scheduler /CN=system:kube-scheduler
kubeconfig kubelet "/O=system:nodes/CN=system:node:$node"
kubeconfig kube-proxy /CN=system:kube-proxy

chmod 755 "$dir" "$pki" "$pki/etcd"
find "$dir" -name '*.crt' -exec chmod 644 {} + -o -name sa.pub -exec chmod 644 {} +
if [ "$(id -u)" -eq 0 ]; then
	chown "${ETCD_USER:-etcd}" "$pki"/etcd/server.key
	chown "${KUBE_USER:-kube}" "$pki"/{ca,apiserver,apiserver-etcd-client,apiserver-kubelet-client,sa}.key "$dir"/{controller-manager,scheduler}.conf
fi
