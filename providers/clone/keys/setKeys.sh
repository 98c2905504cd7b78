# Gives a user of this guest exactly the SSH keys that come on standard input: one a line, each byte that is no plain
# character as printf's \0ooo, and a last line "end". Run as root by the guest agent: /bin/sh -c <this> sh <user>.
# Ends with 0 and "given <number of keys>", with 75 while cloud-init is at work, else with a reason on standard error.
set -euf
umask 077
user=$1

fail() {
  printf '%s\n' "$1" >&2
  exit "${2:-1}"
}

# A first boot adds the keys of its user-data; what is written before that would not be all.
if command -v cloud-init >/dev/null 2>&1; then
  case $(cloud-init status 2>/dev/null || :) in
    *running* | *'not started'* | *'not run'*) fail "cloud-init is still at work" 75 ;;
  esac
fi

# The last line says that the keys came as a whole.
data=$(cat)
keys=${data%"
end"}
[ "$keys" != "$data" ] || fail "the keys did not come as a whole"

entry=$(getent passwd "$user") || fail "there is no user $user"
field() { printf '%s\n' "$entry" | cut -d : -f "$1"; }
owner=$(field 3):$(field 4)
home=$(field 6)
case $home in /*) ;; *) fail "the home of $user, $home, is not there" ;; esac
cd "$home" 2>/dev/null || fail "the home of $user, $home, is not there"
home=$(pwd -P)

# Where sshd looks: in a file elsewhere, the keys would change nothing.
if sshd=$(command -v sshd); then
  # It starts by its full path alone.
  files=$("$sshd" -T -C "user=$user,host=localhost,addr=127.0.0.1" 2>/dev/null | sed -n 's/^authorizedkeysfile //p')
  read_here=
  for file in ${files:-.ssh/authorized_keys}; do
    case $file in
      .ssh/authorized_keys | %h/.ssh/authorized_keys | "$home/.ssh/authorized_keys") read_here=1 ;;
      # It is removed below.
      .ssh/authorized_keys2 | %h/.ssh/authorized_keys2 | "$home/.ssh/authorized_keys2") ;;
      # Keys in it would go on to open the guest.
      *) fail "sshd reads the keys of $user from $files, not from ~/.ssh/authorized_keys alone" ;;
    esac
  done
  [ -n "$read_here" ] || fail "sshd reads the keys of $user from $files, not from ~/.ssh/authorized_keys"
fi

# The user owns what is below: a link must not lead root elsewhere, so all is done from inside the folder.
[ ! -h .ssh ] || fail "$home/.ssh is a link"
[ -d .ssh ] || mkdir .ssh
cd .ssh
[ "$(pwd -P)" = "$home/.ssh" ] || fail "$home/.ssh is a link"
[ ! -d authorized_keys ] || fail "$home/.ssh/authorized_keys is a folder"

new=authorized_keys.new.$$
rm -f "$new"
trap 'rm -f "$new"' EXIT
# As a file of its own: with noclobber it is opened only if nothing of that name is there.
set -C
printf '%b\n' "$keys" >"$new"
set +C
chown -h "$owner" . "$new"
chmod 700 .
mv -f "$new" authorized_keys
# The second file that sshd reads unless it is told otherwise.
rm -f authorized_keys2
if command -v restorecon >/dev/null 2>&1; then restorecon -R . >/dev/null 2>&1 || :; fi
printf 'given %s\n' "$(grep -c . authorized_keys)"
