#!/bin/sh
# Lets a developer's Git and Helm use mirrors; pushes still go to the origin.
#
#     examples/laptop.sh             configure
#     examples/laptop.sh --remove    take it away again
#
# In a shell's profile, the addresses can be had as variables: eval "$(crane-mirrors config env 2>/dev/null)"
set -eu
usage() {
    sed -n 's|^# *examples/|usage: examples/|p' "$0" >&2
    exit 2
}
case ${1-} in '' | --remove) ;; *) usage ;; esac
config=${XDG_CONFIG_HOME:-$HOME/.config}
include=$config/git/crane-mirrors.gitconfig

if [ "${1-}" = --remove ]; then
    # The settings that name the file are yours, so Git takes the line out of them; it is the only one of that value.
    if git config --global --unset --fixed-value include.path "$include"; then
        # Where it was all that your settings said, Git had made the file for it.
        [ -s ~/.gitconfig ] || [ -L ~/.gitconfig ] || rm -f ~/.gitconfig
    else
        [ $? -eq 5 ]
    fi
    # What came last goes first: a folder that was made for both goes with the last of them.
    crane-mirrors config helm --remove --output-dir "$config/helm"
    crane-mirrors config git --remove --output-dir "$config/git"
    exit
fi

crane-mirrors config git --output-dir "$config/git"
git config --global --get --fixed-value include.path "$include" >/dev/null ||
    git config --global --add include.path "$include"
# A list of repositories that is already there is yours, and is left alone: add the mirrors to it by hand then.
crane-mirrors config helm --output-dir "$config/helm" || echo "see: crane-mirrors config helm --script" >&2
