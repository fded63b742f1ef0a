# Shared by the tests of networks: after lib.sh. The test's namespace plays the host, another one, `lan`, the machines of its
# LAN: 192.0.2.0/24 and 2001:db8:1::/64, the host .1, the machine .2. The host does not forward unless FORWARD=1 is given.
mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns; }
ip netns add lan
ip link add up0 type veth peer name eth0 netns lan
ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8:1::1/64 dev up0 nodad && ip link set up0 up
ip -n lan addr add 192.0.2.2/24 dev eth0 && ip -n lan addr add 2001:db8:1::2/64 dev eth0 nodad
ip -n lan link set eth0 up && ip -n lan link set lo up
for s in net.ipv4.ip_forward net.ipv4.conf.up0.forwarding; do sysctl -qw $s="${FORWARD:-0}"; done
lan() { ip netns exec lan "$@"; }
