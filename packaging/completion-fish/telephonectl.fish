# SPDX-License-Identifier: MIT
# fish completion for telephonectl(8)

# What this version knows, from its own help.
function __telephonectl_commands
    telephonectl help 2>/dev/null | string replace -rf '^  ([a-z]+)\b.*' '$1' | sort -u
end

function __telephonectl_needs_command
    not __fish_seen_subcommand_from (__telephonectl_commands)
end

complete -c telephonectl -f
complete -c telephonectl -s s -l socket -r -F -d 'the control socket'
complete -c telephonectl -s h -l help -d 'print a summary'
complete -c telephonectl -s V -l version -d 'print the version of telephonectl'
complete -c telephonectl -n __telephonectl_needs_command -a '(__telephonectl_commands)'
complete -c telephonectl -n '__fish_seen_subcommand_from status requests token' -l json -d 'for programs'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -s f -l follow -d 'each as it ends'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -l in-flight -d 'those that run'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -l status -x -d 'such as 5xx,404'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -l slow -x -d 'those that took at least so long'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -l path -x -d 'a prefix or a pattern'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -l failed -d 'only failures'
complete -c telephonectl -n '__fish_seen_subcommand_from requests' -s n -x -d 'so many of those that have ended'
complete -c telephonectl -n '__fish_seen_subcommand_from top' -s d -x -d 'refreshed each so many seconds'
complete -c telephonectl -n '__fish_seen_subcommand_from top' -s n -x -d 'so many plain frames'
complete -c telephonectl -n '__fish_seen_subcommand_from log' -a 'debug info warn error supervisor worker tokend'
complete -c telephonectl -n '__fish_seen_subcommand_from token' -a 'show check set rotate'
complete -c telephonectl -n '__fish_seen_subcommand_from token' -l env -r -F -d 'another file of configuration'
complete -c telephonectl -n '__fish_seen_subcommand_from token' -l db -r -F -d 'the store'
complete -c telephonectl -n '__fish_seen_subcommand_from token' -l move-aside -d 'put a damaged store aside'
