# Shared by the tests of images: after lib.sh. A home without logins, Debian's docker-registry, what is in the store.
export HOME=$T/home
unset REGISTRY_AUTH_FILE XDG_RUNTIME_DIR DOCKER_CONFIG
mkdir -p "$HOME"
# skopeo and podman keep a cache there, whatever they are told: this one goes with the test
mkdir /var/lib/containers 2>/dev/null && at_end+=('umount /var/lib/containers && rmdir /var/lib/containers')
mount -t tmpfs containers /var/lib/containers
R=$T/registry
heard_at() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # heard_at PORT: somebody listens
registry() { # registry NAME PORT [EXTRA-YAML]: below $R/NAME
    mkdir -p "$R/$1"
    cat >"$R/$1.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $R/$1}, delete: {enabled: true}}
http:
  addr: 127.0.0.1:$2
${3:-}
END
    docker-registry serve "$R/$1.yml" >>"$T/registry.log" 2>&1 &
    until_ok heard_at "$2"
}
in_store() { # blobs, layers, roots and what is half done; not the folders themselves, nor what zones and image: host have
    find "$ROOT"/lib/{images/{blobs,roots,layers,staging},layers,staging} \
        -mindepth 1 -maxdepth 2 ! -path '*/layers/*/*' ! -path '*/blobs/sha???' ! -path '*/layers/host-*' ! -path '*/staging/zone*' 2>/dev/null | sort
}
workers() { # of this daemon: they have its working folder, or a root in its staging
    for p in $(pgrep -x zone-image); do
        case $(readlink "/proc/$p/cwd" "/proc/$p/root" 2>/dev/null) in *"$T"*) echo "$p" ;; esac
    done
}
