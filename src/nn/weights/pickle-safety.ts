import { badFile, quoted } from './checkpoint-error.ts';
import type { PickleGlobal } from './pickle-objects.ts';

/** Python modules through which a pickle could act on a machine. One of them makes the whole file suspect. */
const ACTING_MODULES = new Set(
  `os posix nt posixpath ntpath subprocess sys importlib imp runpy ctypes _ctypes cffi socket _socket ssl http
   httplib urllib urllib2 requests ftplib smtplib telnetlib xmlrpc socketserver asyncio shutil pickle _pickle
   cPickle dill cloudpickle joblib marshal shelve code codeop types inspect pdb bdb cProfile profile timeit trace
   pty tty commands popen2 platform webbrowser multiprocessing threading _thread signal tempfile io _io fileinput
   operator _operator pip setuptools pkg_resources ensurepip venv site zipimport pkgutil pydoc doctest distutils
   sqlite3 concurrent gc atexit builtins __builtin__ __builtins__ torch.hub torch.jit torch.package torch.load
   torch.serialization torch.compile torch.multiprocessing torch.distributed torch._dynamo torch._inductor
   torch.utils.cpp_extension torch.utils.collect_env torch.utils._config_module torch.testing torch.fx
   numpy.testing numpy.f2py numpy.distutils numpy.load numpy.save numpy.memmap numpy.fromfile`.split(/\s+/),
);

/** Harmless members of modules that are refused otherwise. */
const HARMLESS = new Set([
  ...`getattr set frozenset dict list tuple int float bool bytearray complex object slice range str bytes unicode
      long xrange`
    .split(/\s+/)
    .flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
  'torch.serialization._get_layout',
]);

/** @throws MuseTalkError `BAD_FILE` when `global` belongs to a module that can act. */
export function refuseActing(path: string, global: PickleGlobal): void {
  if (HARMLESS.has(global.path) || !canAct(global)) return;
  throw badFile(
    path,
    `refused: the pickle names ${quoted(global.path)}, which can act on the machine (nothing was run)`,
    'Do not load this file with other programs either; fetch the weights from a source that you trust.',
  );
}

/**
 * Looks at every beginning of the dotted path, and, since a dotted name can walk from a harmless module into
 * another ("torch", "serialization.os.system"), at each of its parts.
 */
function canAct({ module, name }: PickleGlobal): boolean {
  const parts = `${module}.${name}`.split('.');
  const beginnings = parts.map((_, last) => parts.slice(0, last + 1).join('.'));
  const walked = name.split('.').slice(0, -1);
  return [...beginnings, ...walked].some((path) => ACTING_MODULES.has(path));
}
