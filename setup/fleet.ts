process.stderr.write("Not there yet.\n");
process.exitCode = 1;
