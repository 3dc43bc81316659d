/**
 * Training: `prepareData` and `train` do what the command line does. Under them lie the stages of MuseTalk and the
 * loop: `stageTask` loads the graphs of 1.0 or of a stage of 1.5,
 * `trainLoop` runs any task, saves and resumes; a task of one's own needs a `Trainer` (from `musetalk/nn`), batches
 * and a loss.
 *
 * @module
 */

export { parseTrainConfig, type TrainConfig, type TrainFlags, type TrainSettings } from '../options/train.ts';
export { syncMel, syncMelRows } from '../sound/sync-mel.ts';
export { latestCheckpoint, readCheckpoint, saveCheckpoint, type TrainingState } from './checkpoint.ts';
export { type PrepareReport, type PrepareRun, prepareData } from './data/prepare.ts';
export { initialWeights } from './initial.ts';
export { type LoopOptions, type Progress, type Task, trainLoop } from './loop.ts';
export * from './losses.ts';
export { boxOfMask, type CutMaps, cutMaps, cutMouth } from './mouth-cut.ts';
export { type PerceptualOptions, perceptualLoss } from './perceptual.ts';
export { Random } from './random.ts';
export {
  type ClipFaces,
  chooseAnyReference,
  chooseReference,
  clipInCrops,
  type ReferenceOptions,
  unionBox,
} from './reference-choice.ts';
export type { TrainProgress, TrainReport, TrainRun } from './run.ts';
export { cosineSchedule, linearSchedule, type Schedule, type ScheduleOptions } from './schedule.ts';
export { STAGE_SETTINGS, type StageBatch, type StageTaskOptions, stageTask } from './stage-task.ts';
export { type Stage, type StageGraphs, type StageOptions, stageGraphs } from './stages.ts';
export { type TrainCall, type TrainRequest, train } from './train.ts';
export { drawMargin, type MarginOptions, mouthMaskBox, withMarginBelow } from './training-crop.ts';
export { soundPiece, trainingConditions } from './training-sound.ts';
